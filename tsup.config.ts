// Builds the package in the current directory: one output per public module, shared code in chunks.
// The declarations come from tsc, which writes those of a whole package at once and maps them to the sources.

import { defineConfig } from "tsup"

export default defineConfig({
  entry: ["src/**/*.ts", "!src/**/internal/**"],
  format: "esm",
  platform: "neutral",
  target: "es2024",
  tsconfig: "tsconfig.build.json",
  clean: true,
  sourcemap: true,
  splitting: true,
  onSuccess: "tsc -p tsconfig.build.json"
})
