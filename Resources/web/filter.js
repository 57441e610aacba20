// Completes names and values in the filter box of a run table. Without it the box is a plain field.
"use strict";

const textual = ["= ''", "!= ''", "LIKE '%'", "ILIKE '%'", "IN ('')", "IS NULL", "IS NOT NULL"];
const numeric = ["> ", ">= ", "< ", "<= ", "= ", "!= "];

// What stands before the caret: a value being quoted, a name being written, or the place after a whole name or clause.
function placeBefore(text) {
  const name = "((?:metrics|params|tags|attributes|datasets)\\.(?:`[^`]*`|\"[^\"]*\"|[^\\s'\"`=<>!(),]+)|status|run_name|user_id)";
  let found = new RegExp(name + "\\s*(?:=|!=|LIKE|ILIKE|(?:NOT\\s+)?IN\\s*\\((?:\\s*'[^']*'\\s*,)*)\\s*'([^']*)$", "i").exec(text);
  if (found) return { kind: "value", of: found[1], start: found[2] };
  if ((text.match(/'/g) || []).length % 2) return null;
  found = /(?:^|[\s(])((?:[\w/]+\.)?(?:`[^`]*|[^\s'"`=<>!(),]*))$/.exec(text);
  if (!found) return null;
  const before = text.slice(0, text.length - found[1].length);
  if (new RegExp(name + "\\s+$", "i").test(before)) return { kind: "comparator", of: new RegExp(name + "\\s+$", "i").exec(before)[1], start: found[1] };
  if (/(?:'|\)|\d|NULL)\s+$/i.test(before)) return { kind: "join", start: found[1] };
  return { kind: "name", start: found[1] };
}

function plain(name) {
  return name.replace(/^([a-z]+\.)[`"](.*)[`"]$/, "$1$2");
}

class Completion {
  constructor(field) {
    this.field = field;
    this.address = field.dataset.complete;
    this.choices = [];
    this.at = -1;
    this.list = document.createElement("ul");
    this.list.id = "completions";
    this.list.className = "completions";
    this.list.hidden = true;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Completions");
    field.after(this.list);
    for (const [name, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-expanded", "false"], ["aria-controls", this.list.id]]) {
      field.setAttribute(name, value);
    }
    field.addEventListener("input", () => this.ask());
    field.addEventListener("focus", () => this.ask());
    field.addEventListener("click", () => this.ask());
    field.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    field.addEventListener("keydown", (event) => this.key(event));
  }

  async names() {
    if (!this.known) this.known = fetch(this.address).then((answer) => (answer.ok ? answer.json() : { keys: [] })).then((found) => found.keys);
    return this.known;
  }

  async ask() {
    const turn = (this.turn = (this.turn || 0) + 1);
    const place = placeBefore(this.field.value.slice(0, this.field.selectionStart));
    if (!place) return this.close();
    let choices = [];
    if (place.kind === "name") {
      const wanted = place.start.toLowerCase().replace(/`/g, "");
      choices = (await this.names()).filter((name) => name.toLowerCase().replace(/`/g, "").includes(wanted) && name !== place.start);
      choices.sort((left, right) => rank(left, wanted) - rank(right, wanted));
      if (!place.start) choices = choices.slice(0, 12);
    } else if (place.kind === "value") {
      const query = new URLSearchParams({ of: plain(place.of.includes(".") ? place.of : "attributes." + place.of), starts: place.start });
      const answer = await fetch(this.address + "?" + query);
      choices = answer.ok ? (await answer.json()).values.filter((value) => value !== place.start && !value.includes("'")) : [];
    } else if (place.kind === "comparator") {
      choices = (place.of.startsWith("metrics.") ? numeric : textual).filter((word) => word.toLowerCase().startsWith(place.start.toLowerCase()));
    } else {
      choices = ["AND ", "OR "].filter((word) => word.startsWith(place.start.toUpperCase()));
    }
    if (turn !== this.turn || document.activeElement !== this.field) return;
    this.place = place;
    this.show(choices.slice(0, 40));
  }

  show(choices) {
    this.choices = choices;
    this.at = -1;
    if (!choices.length) return this.close();
    this.list.replaceChildren(
      ...choices.map((choice, index) => {
        const item = document.createElement("li");
        item.id = "completion-" + index;
        item.textContent = choice;
        item.setAttribute("role", "option");
        item.setAttribute("aria-selected", "false");
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          this.take(index);
        });
        return item;
      }));
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    this.field.removeAttribute("aria-activedescendant");
  }

  close() {
    this.list.hidden = true;
    this.choices = [];
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  key(event) {
    if (this.list.hidden) {
      if (event.key === "ArrowDown") this.ask();
      return;
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.mark((this.at + step + this.choices.length) % this.choices.length);
    } else if ((event.key === "Enter" && this.at >= 0) || (event.key === "Tab" && this.at >= 0)) {
      this.take(this.at);
    } else if (event.key === "Escape") {
      this.close();
    } else {
      return;
    }
    event.preventDefault();
  }

  mark(index) {
    this.list.children[this.at]?.setAttribute("aria-selected", "false");
    this.at = index < 0 ? this.choices.length - 1 : index;
    const item = this.list.children[this.at];
    item.setAttribute("aria-selected", "true");
    item.scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", item.id);
  }

  take(index) {
    const choice = this.choices[index];
    const caret = this.field.selectionStart;
    const before = this.field.value.slice(0, caret - this.place.start.length);
    let after = this.field.value.slice(caret);
    let text = choice;
    if (this.place.kind === "name") text += " ";
    if (this.place.kind === "value" && !after.startsWith("'")) text += "' ";
    this.field.value = before + text + after;
    // Between the quotes that a comparator brought along.
    const quote = this.place.kind === "comparator" && text.includes("'") ? text.indexOf("'") + 1 : text.length;
    this.field.setSelectionRange(before.length + quote, before.length + quote);
    this.close();
    this.ask();
  }
}

function rank(name, wanted) {
  const place = name.toLowerCase().indexOf(wanted);
  return place < 0 ? 1000 : place;
}

document.querySelectorAll("input[data-complete]").forEach((field) => new Completion(field));
