"""The fidelity ledgers of branches whose entries fill a file by themselves."""
