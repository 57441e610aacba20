"""The scan gate's eyes: what pickles import, and secrets in a tree. Reads files, loads nothing, prints one JSON object.

Usage: python scan.py ALLOW_LIST MODEL_FOLDER TREE_FOLDER

Run by Slipway with the tools' interpreter (picklescan and detect-secrets; scripts/requirements-tools.in).
"""

import json
import os
import pickletools
import re
import sys

from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings
from picklescan.scanner import scan_file_path

FLAVOR_LINE = re.compile(r"^  (\w+):$")
LIMIT = 50
# Larger files of a tree are data, not code; they are counted, not read.
TREE_FILE_MAX = 4 << 20


def files(folder):
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = os.path.join(base, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def flavors(model):
    """The flavour names of an MLmodel file, read as lines because YAML is no business of a scanner."""
    found, inside = [], False
    try:
        with open(os.path.join(model, "MLmodel"), encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("flavors:"):
                    inside = True
                elif inside and not line.startswith(" "):
                    break
                elif inside and FLAVOR_LINE.match(line.rstrip("\n")):
                    found.append(FLAVOR_LINE.match(line.rstrip("\n")).group(1))
    except FileNotFoundError:
        pass
    return found


def allowed(rules, module, name):
    """A rule is a module with everything below it ('sklearn.'), a whole module ('datetime') or one name ('builtins.set')."""
    return any(
        (rule.endswith(".") and (module + ".").startswith(rule)) or rule == module or rule == f"{module}.{name}" for rule in rules
    )


def would_import(path):
    """Whether loading the file as a pickle gets as far as a first import. Text such as 'channels:' begins with an opcode
    by chance, but names no module that Python could import, and then loading stops."""
    with open(path, "rb") as file:
        try:
            for opcode, argument, _ in pickletools.genops(file):
                if opcode.name in ("GLOBAL", "INST"):
                    return all(part.isidentifier() for part in argument.split(" ", 1)[0].split("."))
                if opcode.name == "STACK_GLOBAL":
                    return True
        except Exception:
            return False
    return False


def scan_model(model, rules):
    pickles = []
    for path in files(model):
        result = scan_file_path(path)
        imports = sorted({(found.module, found.name) for found in result.globals})
        if not imports or (result.scan_err and not would_import(path)):
            continue
        refused = [f"{module}.{name}" for module, name in imports if not allowed(rules, module, name)]
        pickles.append({"path": os.path.relpath(path, model), "imports": [f"{m}.{n}" for m, n in imports], "refused": refused})
    return pickles


def scan_tree(tree):
    found, skipped = [], 0
    with default_settings():
        for path in files(tree):
            if os.path.getsize(path) > TREE_FILE_MAX:
                skipped += 1
                continue
            secrets = SecretsCollection()
            secrets.scan_file(path)
            for _, secret in secrets:
                # The line and the kind, never the secret itself.
                found.append({"path": os.path.relpath(path, tree), "line": secret.line_number, "kind": secret.type})
    return found, skipped


def main():
    allow_list, model, tree = sys.argv[1:4]
    with open(allow_list, encoding="utf-8") as file:
        known = json.load(file)
    named = flavors(model)
    rules = known["all"] + [rule for flavor in named for rule in known.get(flavor, [])]
    pickles = scan_model(model, rules)
    secrets, skipped = scan_tree(tree)
    json.dump({"flavors": named, "pickles": pickles[:LIMIT], "secrets": secrets[:LIMIT], "skipped": skipped}, sys.stdout)


main()
