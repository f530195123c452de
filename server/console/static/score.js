// Shows the score of the answers as they stand. The server scores; without this script the form works just as well, unscored until saved.
"use strict";

const form = document.querySelector("form[data-score]");
const shown = (id, text, kind = "") => {
  const place = document.getElementById(id);
  place.textContent = text;
  place.className = kind;
};

let asked = 0;

async function score() {
  const turn = ++asked;
  const answer = await fetch(form.dataset.score, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } });
  const told = await answer.json();
  if (turn !== asked) return; // a later change was asked about meanwhile
  if (told.problem) {
    shown("score", told.problem);
    shown("band", "");
    return;
  }
  shown("score", told.value === null ? "Score: —" : `Score: ${told.value}`);
  const words = [];
  if (told.band) words.push(told.band.replaceAll("_", " "));
  if (told.needs.length) words.push(`needs: ${told.needs.join(", ")}`);
  if (told.missing) words.push(told.missing === 1 ? "1 answer is missing" : `${told.missing} answers are missing`);
  shown("band", words.join("; "), "muted");
  shown("flags", told.flags.map((flag) => `Urgent: ${flag.replaceAll("_", " ")}`).join("; "), told.flags.length ? "tag bad" : "");
}

form.addEventListener("change", score);
form.addEventListener("input", (event) => event.target.type === "number" && score());
score();
