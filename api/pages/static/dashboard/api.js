// Reads the router's interface, with the session that the browser keeps.

export class SignedOut extends Error {}

/** The JSON at a path. Throws SignedOut, or an Error with the router's own words. */
export async function read(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, cache: "no-store" });
  if (answer.status === 401) throw new SignedOut();
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error?.message ?? `The router answers ${answer.status}.`);
  return body;
}

/** All rows of a list, up to so many. */
export async function readList(path, most) {
  const rows = [];
  let next = path;
  while (next && rows.length < most) {
    const page = await read(next);
    rows.push(...page.value);
    next = page.nextLink ? asPath(page.nextLink) : "";
  }
  return { rows, more: Boolean(next) };
}

// a link may be whole, of the public address: the page asks where it came from
function asPath(link) {
  const url = new URL(link, location.href);
  return url.pathname + url.search;
}
