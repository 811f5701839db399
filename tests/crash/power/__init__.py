"""Power cuts: the disk stops taking anything in the middle of the traffic, and what was not synced is gone.

The spool, the configuration and the history are on a file system on a loop device. ``xfs_io -x -c shutdown``
(``FS_IOC_GOINGDOWN`` without a flush) ends it at a random moment; every process is killed; it is mounted again as after
a cut, which replays its journal. The sender's account and both targets are outside.
"""
