"""Tests of the Python client: `python -m unittest discover -t . -s tests` in the folder above.

Those of the runner start one: MILLRACE_TEST_PROGRAM names the program, else it is where `swift
build` leaves it.
"""
