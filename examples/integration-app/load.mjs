// Visits the app so many times, eight at once, and writes down how that went.
import { writeFileSync } from "node:fs"
import { join } from "node:path"

const visits = Number(process.argv[2])
const tookMillis = []
let errors = 0
let left = visits

const visitor = async () => {
  while (left-- > 0) {
    const before = performance.now()
    const { ok } = await fetch("http://app:8080/visits").catch(() => ({ ok: false }))
    tookMillis.push(performance.now() - before)
    if (!ok) errors++
  }
}

await Promise.all(Array.from({ length: 8 }, visitor))
tookMillis.sort((a, b) => a - b)
const p95 = tookMillis[Math.ceil(tookMillis.length * 0.95) - 1] ?? null
const results = { errors, p95Millis: { value: p95, samples: tookMillis.length } }
writeFileSync(join(process.env.LOCKKEEPER_RESULTS, "load.json"), JSON.stringify(results))
console.log(`${visits} visits, ${errors} failed, p95 ${p95?.toFixed(1)} ms`)
