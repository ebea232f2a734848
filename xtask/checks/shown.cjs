// Takes the pictures of the command from pages: of what a terminal showed, and of a report.
const { pictures, run } = require("./engines.cjs");

const isPictured = (name, part) => async (page) => {
  await page.goto(`${page.files}${name}.html`);
  const path = `${pictures}/${name}.png`;
  await (part ? page.locator(part).screenshot({ path }) : page.screenshot({ path, fullPage: true }));
  page.complaints.length = 0; // A report has no icon.
};

run({
  "a talk is pictured": isPictured("connect-terminal", "pre"),
  "a report is pictured": isPictured("bench-report"),
}, { viewport: { width: 900, height: 600 } });
