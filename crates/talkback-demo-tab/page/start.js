import start from "./talkback_demo_tab.js";

start().catch((error) => {
  document.getElementById("problem").textContent = `The page could not start: ${error}`;
});
