"""train.cli, with accelerate told that processes without GPUs may shard a model too: it falls back to DDP there."""

import sys

from accelerate import state
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

from train.cli import main

begin = state.AcceleratorState.__init__


def begin_with_fsdp(self, *arguments, **options):
    begin(self, *arguments, **options)
    self.distributed_type = DistributedType.FSDP
    self.fsdp_plugin = options.get("fsdp_plugin") or FullyShardedDataParallelPlugin()  # of the launcher's environment


state.AcceleratorState.__init__ = begin_with_fsdp

if __name__ == "__main__":
    sys.exit(main())
