"""Who plays, and what each of them may do where."""

import json
import os
import pathlib

from .doors import Person, Refused, Server, new_password

PROJECT = "flight-delays"

#: name → full name, what they are, roles per environment.
CAST = {
    "ada": ("Ada Bell", "data scientist, writes the model; also reviewer in prod", {"dev": ["contributor"], "stage": ["viewer"], "prod": ["reviewer"]}),
    "grace": ("Grace Hill", "ML engineer, merges and requests", {"dev": ["engineer"], "stage": ["engineer"], "prod": ["engineer"]}),
    "barbara": ("Barbara Lind", "reviewer", {"dev": ["reviewer"], "stage": ["reviewer"], "prod": ["reviewer"]}),
    "edsger": ("Edsger Dahl", "operator, applies and rolls back", {"dev": ["operator"], "stage": ["operator"], "prod": ["operator"]}),
    "margaret": ("Margaret Holm", "steward of the data", {"dev": ["steward"], "stage": ["steward"], "prod": ["steward"]}),
    "radia": ("Radia Perl", "administrator of the project and of the server", {"dev": ["admin"], "stage": ["admin"], "prod": ["admin"]}),
}


class People:
    """The cast, with passwords that are made once and kept in a file that only its owner may read."""

    def __init__(self, server: Server):
        self.server = server
        self.file = server.data / "demo-people.json"
        self.folder = server.data / "demo" / "sign-ins"

    def load(self) -> None:
        if not self.file.exists():
            people = {name: {"full_name": full, "role": what, "password": new_password()} for name, (full, what, _) in CAST.items()}
            aside = self.file.with_suffix(".new")
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as out:
                json.dump(people, out, indent=2)
            aside.rename(self.file)
        known = json.loads(self.file.read_text())
        for name, (full, _, _) in CAST.items():
            setattr(self, name, Person(self.server, name, known[name]["password"], full, self.folder))

    def __getitem__(self, name: str) -> Person:
        return getattr(self, name)

    def everybody(self) -> list[Person]:
        return [self[name] for name in CAST]

    def bootstrap_file(self) -> str:
        """What `slipway bootstrap --file -` reads."""
        return json.dumps({
            "project": PROJECT,
            "people": [
                {"name": name, "full_name": full, "password": self[name].password, "emails": [self[name].email], "administrator": name == "radia", "roles": roles}
                for name, (full, _, roles) in CAST.items()
            ],
        })

    def are_known(self) -> bool:
        """Whether the server lets the first of them in."""
        try:
            self.ada.sign_in()
            return True
        except Refused as refused:
            if refused.code == 3:
                return False
            raise

    def sign_in(self) -> None:
        for person in self.everybody():
            person.sign_in()
