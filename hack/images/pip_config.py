"""Turn `pip config list` into a pip.conf that works inside of a build container.

Only settings that say where packages come from are taken over. The certificate file is named in a
comment, for the caller to mount where the setting points.
"""

import ast
import sys

CERTIFICATES = "/run/ca-certificates.crt"
WANTED = {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout"}


def pip_conf(listing: str) -> str:
    """`listing` is the output of `pip config list`; later lines win, as they do for pip."""
    settings: dict[str, str] = {}
    certificates = ""
    for line in listing.splitlines():
        key, _, quoted = line.partition("=")
        option = key.rpartition(".")[2]
        value = str(ast.literal_eval(quoted))
        if option == "cert":
            certificates = value
        elif option in WANTED:
            settings[option.removeprefix("default-")] = value.replace("\n", " ")
    if certificates:
        settings["cert"] = CERTIFICATES
    lines = [f"{option} = {value}" for option, value in settings.items()]
    return "\n".join([f"# certificates: {certificates}", "[global]", *lines, ""])


if __name__ == "__main__":
    sys.stdout.write(pip_conf(sys.stdin.read()))
