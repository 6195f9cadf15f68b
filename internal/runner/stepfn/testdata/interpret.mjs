// Holds a state machine to an independent validator, and runs it through an
// independent interpreter. Reads {definition, executions} as JSON from standard
// input; writes {faults} or {faults: "", executions}.
//
// An execution is {input, tasks}: for each state the answers of its function,
// one a call: {returns} or {throws} (a name), or {} to not answer at all. For
// a state that waits for its token, returns is what comes with the token.
//
// Of each execution it tells {entered, waits, calls, error}: the names of the
// states, the seconds for which those that wait would have waited, the input of
// each call, and the name of the error that the execution failed with, or ''.
import { readFileSync } from 'node:fs';
import aslValidator from 'asl-validator';

// The interpreter wants Node 22 for this.
Promise.withResolvers ??= function () {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};
const { StateMachine } = await import('aws-local-stepfunctions');

const { definition, executions } = JSON.parse(readFileSync(0, 'utf8'));
const { isValid, errorsText } = aslValidator(definition);
const output = { faults: isValid ? '' : errorsText('\n') };
if (isValid) {
  output.executions = await Promise.all(executions.map(run));
}
console.log(JSON.stringify(output));

async function run({ input, tasks }) {
  const calls = [];
  const handlers = {};
  const pauses = {};
  for (const [name, state] of Object.entries(definition.States)) {
    if (state.Type !== 'Task') continue;
    const answers = [...(tasks[name] ?? [])];
    pauses[name] = 0;
    handlers[name] = (parameters) => {
      calls.push(parameters);
      const answer = answers.shift();
      if (!answer) throw named('Unexpected', `${name} was called once more than expected`);
      if (answer.throws) throw named(answer.throws, 'as the test has it');
      if (!('returns' in answer)) return new Promise(() => {});
      if (state.Resource.endsWith('.waitForTaskToken')) return answer.returns;
      return { ExecutedVersion: '$LATEST', Payload: answer.returns, StatusCode: 200 };
    };
  }
  const machine = new StateMachine(brief(definition));
  const execution = machine.run(input, {
    context: { Task: { Token: 'token-of-the-test' } },
    overrides: { taskResourceLocalHandlers: handlers, retryIntervalOverrides: pauses },
  });
  const entered = [];
  const waits = [];
  const logs = (async () => {
    for await (const event of execution.eventLogs) {
      if (event.type !== 'StateEntered') continue;
      const { name, input } = event.state;
      entered.push(name);
      const path = definition.States[name].TimeoutSecondsPath;
      if (path) waits.push(input[path.replace('$.', '')]);
    }
  })();
  const error = await execution.result.then(() => '', (e) => String(e.cause?.name ?? e.message));
  await logs;
  return { entered, waits, calls, error };
}

// brief makes all time-outs a second long.
function brief(machine) {
  machine = structuredClone(machine);
  for (const state of Object.values(machine.States)) {
    if (state.Type !== 'Task') continue;
    delete state.TimeoutSecondsPath;
    state.TimeoutSeconds = 1;
  }
  return machine;
}

function named(name, message) {
  const error = new Error(message);
  error.name = name;
  return error;
}
