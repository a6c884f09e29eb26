"""The command line of hack/cluster."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from native_cluster import choice, redis_server, tools
from native_cluster.terminal import ClusterError, report, say

DESCRIPTION = """\
A Kubernetes cluster to try Serinus on: the one that SERINUS_KUBECONFIG names; else kind, where a
container engine runs; else a native one, built from source with Go and run as processes of this
machine, as root. SERINUS_CLUSTER_PROVIDER=kind or native settles it.

The native cluster is one for the machine: checkouts share it, and it stops with its last user.
"""


def main() -> int:
    """Do what the command line says; 0 when all is well."""
    arguments = _parser().parse_args()
    try:
        return _run(arguments)
    except ClusterError as error:
        report(error)
        return 1
    except KeyboardInterrupt:
        say("interrupted; `hack/cluster up` goes on from here, `hack/cluster down` cleans up")
        return 130


def _run(arguments: argparse.Namespace) -> int:
    match arguments.verb:
        case "up":
            choice.up()
        case "down":
            choice.down(force=arguments.force)
        case "status":
            return 0 if choice.status() else 1
        case "env":
            for name, value in choice.env().items():
                print(f"export {name}={shlex.quote(value)}")
        case "load":
            choice.load(arguments.archives)
        case "gateway":
            print(f"export SERINUS_GATEWAY_IMAGE={shlex.quote(choice.gateway())}")
        case "tools":
            tools.ensure(tools.TEST_MODULES)
            for module in tools.TEST_MODULES:
                print(tools.folder_of(module))
        case "redis":
            program = redis_server.ensure()
            print(program.name, program.path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hack/cluster",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("up", help="bring the cluster up; a second call takes seconds")
    down = verbs.add_parser("down", help="end it and leave nothing behind; built programs are kept")
    down.add_argument("--force", action="store_true", help="also if another checkout uses it")
    verbs.add_parser("status", help="tell how each component does; exit code 1 if not well")
    verbs.add_parser("env", help='print exports: eval "$(hack/cluster env)"')
    load = verbs.add_parser("load", help="give the nodes images from archives")
    load.add_argument("archives", nargs="+", type=Path)
    verbs.add_parser("gateway", help="give the nodes the gateway of the tests, print its image")
    verbs.add_parser("tools", help="build the programs that tests need, print their folders")
    verbs.add_parser(
        "redis",
        help="install the Redis-protocol server that tests need; print its name and its program",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
