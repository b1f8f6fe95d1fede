"""Fidelity ledgers, a module for each branch: where paper, authors' code and this project part ways."""
