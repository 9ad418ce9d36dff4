"""The tasks, a module each.

Each has NAME, MAIN_METRIC, COMPARED (the metrics in which variants are tested against each other), a Question (see
`midalign_demo.tasks.question`), `statistics(question, gold, answer)`, what an answer adds up to, and `scores(totals)`,
the metrics of such sums.
"""

from midalign_demo.tasks import json_generation, slot_filling, translation

MODULES = {module.NAME: module for module in (slot_filling, translation, json_generation)}
