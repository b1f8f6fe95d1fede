#!/bin/sh
# train.sh ANNCESTRY FOLDER WORDS...: train into a folder, or go on with what is in it.
set -eu
anncestry=$1 folder=$2
shift 2
if [ -f "$folder/config.json" ]; then
    exec "$anncestry" train --resume "$folder"
fi
exec "$anncestry" train "$@" --out "$folder"
