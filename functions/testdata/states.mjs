// Runs executions of state machines by an independent interpreter, for a fake
// of Step Functions that is on the other end of standard input and output. Both
// send a JSON object a line:
//
//   in  {start: {execution, definition, input, pause}}  pause: seconds before a retry
//       {answer: {call, payload}} or {answer: {call, error, message}}
//       {succeed: {id, token}}
//   out {call: {id, execution, function, payload}}      a function to be invoked
//       {entered: {execution, state}}
//       {succeeded: {id, known, waiting}}               what became of a token
//       {ended: {execution, error}}
//
// It knows of no step: the definition says all. Time-outs are in real time.
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';

// The interpreter wants Node 22 for this.
Promise.withResolvers ??= function () {
  const parts = {};
  parts.promise = new Promise((resolve, reject) => Object.assign(parts, { resolve, reject }));
  return parts;
};
const { StateMachine } = await import('aws-local-stepfunctions');

const calls = new Map(); // by id
const waits = new Map(); // by token: ends the wait; undefined once it is over
let lastCall = 0;
const mostSeconds = Math.floor(2 ** 31 / 1000) - 1; // what a timer can do

for await (const line of createInterface({ input: process.stdin })) {
  const { start, answer, succeed } = JSON.parse(line);
  if (start) run(start);
  if (answer) settle(answer);
  if (succeed) complete(succeed);
}

function say(message) {
  process.stdout.write(JSON.stringify(message) + '\n');
}

async function run({ execution, definition, input, pause }) {
  const task = { Token: randomUUID() };
  const inputs = {}; // of states, when they were last entered
  const handlers = {};
  const pauses = {};
  for (const [name, state] of Object.entries(definition.States)) {
    if (state.Type !== 'Task') continue;
    pauses[name] = pause;
    if (state.Resource === 'arn:aws:states:::lambda:invoke') {
      handlers[name] = async ({ FunctionName, Payload }) => {
        const payload = await invoke(execution, FunctionName, Payload);
        return { ExecutedVersion: '$LATEST', Payload: payload, StatusCode: 200 };
      };
    } else if (state.Resource === 'arn:aws:states:::lambda:invoke.waitForTaskToken') {
      handlers[name] = async ({ FunctionName, Payload }) => {
        task.Token = randomUUID(); // each attempt has one of its own
        await new Promise(setImmediate); // that the state was entered is known then
        const wait = waitFor(Payload.token, timeoutOf(state, inputs[name]));
        invoke(execution, FunctionName, Payload).catch(wait.fail);
        return wait.promise;
      };
    } else {
      throw new Error(`state ${name}: this Step Functions can't do ${state.Resource}`);
    }
  }
  const running = new StateMachine(untimed(definition)).run(input, {
    context: { Task: task },
    overrides: { taskResourceLocalHandlers: handlers, retryIntervalOverrides: pauses },
  });
  const logs = (async () => {
    for await (const event of running.eventLogs) {
      if (event.type !== 'StateEntered') continue;
      inputs[event.state.name] = event.state.input;
      say({ entered: { execution, state: event.state.name } });
    }
  })();
  const error = await running.result.then(() => '', (e) => String(e.message));
  await logs;
  say({ ended: { execution, error } });
}

// untimed leaves the time-outs of states that wait to waitFor: the interpreter
// looks for TimeoutSecondsPath in the task's parameters, not in the state's input.
function untimed(definition) {
  definition = structuredClone(definition);
  for (const state of Object.values(definition.States)) {
    if (!state.Resource?.endsWith('.waitForTaskToken')) continue;
    delete state.TimeoutSecondsPath;
    state.TimeoutSeconds = mostSeconds;
  }
  return definition;
}

function timeoutOf({ TimeoutSeconds, TimeoutSecondsPath }, input) {
  const seconds = TimeoutSecondsPath ? input[TimeoutSecondsPath.replace('$.', '')] : TimeoutSeconds;
  if (!(seconds >= 1)) throw named('States.Runtime', `${TimeoutSecondsPath} is ${seconds}`);
  return Math.min(seconds, mostSeconds - 1);
}

// waitFor is the wait for a token; see complete.
function waitFor(token, seconds) {
  const { promise, resolve, reject } = Promise.withResolvers();
  const over = () => {
    clearTimeout(timer);
    waits.set(token, undefined); // a token works once
  };
  const fail = (error) => {
    over();
    reject(error);
  };
  const timer = setTimeout(() => fail(named('States.Timeout', 'nobody sent the token back')), seconds * 1000);
  waits.set(token, () => {
    over();
    resolve({});
  });
  return { promise, fail };
}

function invoke(execution, name, payload) {
  const id = ++lastCall;
  const call = Promise.withResolvers();
  calls.set(id, call);
  say({ call: { id, execution, function: name, payload } });
  return call.promise;
}

function settle({ call, payload, error, message }) {
  const { resolve, reject } = calls.get(call);
  calls.delete(call);
  if (error) reject(named(error, message));
  else resolve(payload);
}

function complete({ id, token }) {
  const succeed = waits.get(token);
  succeed?.();
  say({ succeeded: { id, known: waits.has(token), waiting: Boolean(succeed) } });
}

function named(name, message) {
  return Object.assign(new Error(message), { name });
}
