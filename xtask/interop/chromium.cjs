// What the scripts that drive Chromium share.
"use strict";

const fs = require("node:fs/promises");
const http = require("node:http");
const path = require("node:path");

/** Flags that work without a display, in a container too. */
exports.args = [
  "--no-sandbox", // Chromium refuses to start as root with its sandbox, as in CI.
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const types = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm" };

/** Serves a folder's files, and pages given as text, on a free port. */
exports.serve = async (folder, pages = {}) => {
  const server = http.createServer(async (request, response) => {
    const name = path.basename(new URL(request.url, "http://page/").pathname);
    try {
      const content = pages[name] ?? (await fs.readFile(path.join(folder, name)));
      response.setHeader("Content-Type", types[path.extname(name)] ?? "text/plain");
      response.end(content);
    } catch {
      response.statusCode = 404;
      response.end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/`;
  return { url, close: () => server.close() };
};
