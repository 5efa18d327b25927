#!/usr/bin/env node
// Runs the program for this machine, and ends as it does.
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { binary } from "../index.js";

let program;
try {
  program = binary();
} catch (error) {
  console.error(`skystash: ${error.message}`);
  process.exit(1);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// A terminal sends Ctrl-C to both; the program decides when it ends.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => child.kill(signal));
}
child.on("error", (error) => {
  console.error(`skystash: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
