// Colours of people and of labels.
const PEOPLE = ["#4cc9f0", "#ffd166", "#ff8fab", "#7ae582", "#c4a7ff", "#ffa366", "#5eead4", "#f1efe4"];
const ALIAS = { angry: "anger", happy: "happiness", sad: "sadness" };
const KNOWN = new Set("neutral happiness surprise sadness anger disgust fear contempt".split(" "));

/** The colour of a person, the same for as long as the id is. Bright: it lies on pictures. */
export const personColor = (id) => PEOPLE[(Math.max(id, 1) - 1) % PEOPLE.length];

/** The name of the CSS variable with the colour of a label. */
export function toneName(label) {
  const name = ALIAS[label] ?? label;
  return `--${KNOWN.has(name) ? name : "other"}`;
}

/** The colour of a label in the theme of the page. */
export const tone = (label) => getComputedStyle(document.documentElement).getPropertyValue(toneName(label)).trim();
