"""How the cluster breaks: faults of links, of services and of readers, one small class each."""

from .calls import (
    BlackHole,
    ChangeHeaders,
    Delay,
    Drop,
    Duplicate,
    Reorder,
    RewriteBody,
    only,
)
from .links import LinkedCluster, Links, linked_cluster
from .links_docker import docker_linked_cluster
from .proxy import Answer, Broken, Call, Fault, Forward, Proxy, ProxyThread
from .readers import SilentReader, SlowReader
from .services import FullDisk, FullDiskContainer, LoneWorker
from .streams import BadBytes, ChangeFrames, CutStream, repeat_frame, swap_frames

__all__ = [
    "Answer",
    "BadBytes",
    "BlackHole",
    "Broken",
    "Call",
    "ChangeFrames",
    "ChangeHeaders",
    "CutStream",
    "Delay",
    "Drop",
    "Duplicate",
    "Fault",
    "Forward",
    "FullDisk",
    "FullDiskContainer",
    "LinkedCluster",
    "Links",
    "LoneWorker",
    "Proxy",
    "ProxyThread",
    "Reorder",
    "RewriteBody",
    "SilentReader",
    "SlowReader",
    "docker_linked_cluster",
    "linked_cluster",
    "only",
    "repeat_frame",
    "swap_frames",
]
