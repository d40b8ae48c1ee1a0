/* seeother: puts a renewed token into the form that a script has sent, and nothing else */
{
  const name = "so_token", ask = fetch, xhr = XMLHttpRequest.prototype, send = xhr.send,
    sent = body => (typeof body == "string" ? new URLSearchParams(body) : body)?.get?.(name),
    own = url => new URL(url, location).origin == location.origin,
    // A second later: until then it is the other half of a double click
    renew = (old, url, now) => old && now && own(url) && setTimeout(() => {
      for (const one of document.getElementsByName(name)) if (one.value == old) one.value = now
    }, 1000)
  window.fetch = async (what, how) => {
    const old = sent(how?.body), got = await ask(what, how)
    renew(old, got.url, got.headers.get("SeeOther-Token"))
    return got
  }
  xhr.send = function (body) {
    const old = sent(body)
    this.addEventListener("load", () => renew(old, this.responseURL, this.getResponseHeader("SeeOther-Token")))
    send.call(this, body)
  }
}
