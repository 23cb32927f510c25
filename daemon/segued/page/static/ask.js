// Asks the page's server over HTTP. Throws an Error with what it says when it refuses.

export async function ask(path, options) {
  const answer = await fetch(path, options);
  if (!answer.ok) throw new Error((await answer.text()).trim() || answer.statusText);
  return answer;
}

export async function askJson(path, options) {
  return (await ask(path, options)).json();
}
