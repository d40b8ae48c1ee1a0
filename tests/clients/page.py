"""The page of the small app: one form, its messages, the notes; the client is in its markup only.

Every page holds all that a person needs without script. `CLIENTS` says what a client wants to see
in the markup, and which script it is.
"""

from dataclasses import dataclass
from html import escape

from seeother import Draft

TEXT = "text"
# A page under this policy runs files of the site and nothing else.
CSP = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'"


@dataclass(frozen=True)
class Client:
    """How a client is told of a form: attributes, what stands around it, and the scripts."""

    form: str = ""
    body: str = ""
    around: str = "<main id=main>{}</main>"
    script: str = ""
    more: str = ""


HTMX = 'hx-post="{}" hx-target="#main" hx-select="#main" hx-swap="outerHTML"'
# As htmx 2 is told to show what comes with 422 (4 does so by itself).
SWAPS_422 = (
    "<meta name=htmx-config content='"
    '{"responseHandling":[{"code":"[23]..","swap":true},{"code":"422","swap":true},'
    '{"code":"...","swap":false,"error":true}]}\'>'
)
CLIENTS = {
    "plain": Client(),
    "fetch": Client(script="send.js"),
    "fetch-fields": Client(script="send.js", form="data-as=fields"),
    "fetch-header": Client(script="send.js", form="data-as=header"),
    "fetch-stay": Client(script="send.js", form="data-as=stay"),
    "fetch-go": Client(script="send.js", form="data-as=go"),
    "xhr": Client(script="send.js", form="data-as=xhr"),
    "htmx2": Client(HTMX, script="htmx2.js", more=SWAPS_422),
    "htmx2-boost": Client(body="hx-boost=true", script="htmx2.js", more=SWAPS_422),
    "htmx4": Client(HTMX, script="htmx4.js"),
    "htmx4-boost": Client(body="hx-boost:inherited=true", script="htmx4.js"),
    "turbo": Client(script="turbo.js"),
    "turbo-frame": Client(
        around="<turbo-frame id=frame><main id=main>{}</main></turbo-frame>", script="turbo.js"
    ),
    "unpoly": Client(form="up-submit", script="unpoly.js"),
}

# What a hand-written script does; `data-as` says in which of the usual ways. As in a browser a
# second submit gives the first one's answer up.
SEND_JS = """
let last;
addEventListener("submit", async event => {
  const form = event.target, as = form.dataset.as || "form", body = new FormData(form);
  event.preventDefault();
  last?.abort();
  const headers = {Accept: "text/html"};
  if (as == "header") { headers["SeeOther-Token"] = body.get("so_token"); body.delete("so_token"); }
  const show = html => {
    const next = new DOMParser().parseFromString(html, "text/html");
    document.querySelector("#main").replaceWith(next.querySelector("#main"));
  };
  if (as == "xhr") {
    const asked = last = new XMLHttpRequest();
    asked.open("POST", form.action);
    asked.setRequestHeader("Accept", "text/html");
    asked.onload = () => show(asked.responseText);
    return asked.send(body);
  }
  last = new AbortController();
  const plain = as == "stay" || as == "go";
  const answer = await fetch(form.action, {
    method: "POST", headers: plain ? {} : headers, signal: last.signal,
    body: as == "fields" ? new URLSearchParams(body) : body,
  });
  if (as == "go") location = answer.url;
  else if (as == "stay") document.title = "stayed " + answer.status;
  else show(await answer.text());
});
"""


def page(client: str, asked: str, draft: Draft | None, said: list[str], notes: list[str]) -> str:
    """The whole page, with what was typed and what is wrong with it.

    `asked` is the page's query: `bare` leaves out the script that renews tokens, with `at=once` the
    form asks for its errors in place.
    """
    kind, action = CLIENTS[client], f"/{client}/notes"
    action += "?at=once" if "at=once" in asked else ""
    old, wrong = (draft.old(TEXT), draft.error(TEXT)) if draft else ("", "")
    form = f'method=post action="{action}" {kind.form.format(action)}'
    main = f"""<form id=note {form}>
<label>Note <input name={TEXT} value="{escape(old or "")}" required></label>
<button name=go value=1>Save</button> <span id=wrong>{escape(wrong or "")}</span></form>
<form id=vote {form}><input type=hidden name={TEXT} value=vote><button>Vote</button></form>
<div id=said role=status>{"".join(f"<p>{escape(one)}</p>" for one in said)}</div>
<ul id=notes>{"".join(f"<li>{escape(one)}" for one in notes)}</ul>"""
    scripts = [name for name in ("" if "bare" in asked else "seeother.js", kind.script) if name]
    head = "".join(f'<script src="/{name}" defer></script>' for name in scripts)
    return f"""<!doctype html><html lang=en><head><meta charset=utf-8><title>Notes</title>
{kind.more}{head}</head><body {kind.body}>{kind.around.format(main)}</body></html>"""
