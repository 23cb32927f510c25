"""Segue's training side. Nothing here is loaded while Segue plays.

The core, in the order in which it is best read: `train` (the loop, and what a `Task` is), `config`
(the options), `task` (what Segue's model learns), `network`, `latches`, `optim`, `data`,
`augment`, `validation`, `fine_tune`, `checkpoint`, `process_group`, `sources`, `report`.

Below it `corpus`: MIDI files to pieces of tokens, prepared once, split by composition. Beside it
`onnx_export` (runs to model files, and back) and `seed` (the classic tutorial's recipe as a task).
Above it `judge` (how good a model file is), and on top the commands: `train_command`, `commands`,
`judge.commands`, `__main__`.
"""
