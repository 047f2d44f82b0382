// Providers with a failpoint around each thing that one does: with those of RunStore these are all the places at which a Run
// can be cut off.
import { Effect } from "effect"
import { failpoint } from "../port/failpoint.ts"
import { type Provider, ProviderError, RemovalError } from "../port/Provider.ts"
import { Providers } from "../port/Providers.ts"

/**
 * Answers the same Providers with a failpoint `Provider.method` around each call of a method, refused as if the place were
 * away. That nothing could be removed is said of one part.
 */
export const failpointProviders = (providers: Providers["Service"]): Providers["Service"] =>
  Providers.of({
    usual: providers.usual,
    targets: providers.targets,
    of: (target) => Effect.map(providers.of(target), failpointProvider),
    made: Effect.map(
      providers.made,
      (made) => new Map([...made].map(([target, provider]) => [target, failpointProvider(provider)] as const))
    )
  })

const failpointProvider = (provider: Provider): Provider => {
  const away = Effect.fail(new ProviderError({ reason: "provider_unavailable", detail: "a failpoint" }))
  const stays = Effect.fail(new RemovalError({ left: [{ what: "a part", detail: "a failpoint" }] }))
  return {
    refuses: provider.refuses,
    reserve: (owner) => failpoint("Provider.reserve", provider.reserve(owner), away),
    extend: (lease) => failpoint("Provider.extend", provider.extend(lease), away),
    giveBack: (lease, unused) => failpoint("Provider.giveBack", provider.giveBack(lease, unused), away),
    resolve: (reference) => failpoint("Provider.resolve", provider.resolve(reference), away),
    build: (owner, tree, say) => failpoint("Provider.build", provider.build(owner, tree, say), away),
    prepare: (owner, subnet) => failpoint("Provider.prepare", provider.prepare(owner, subnet), away),
    start: (spec, say) => failpoint("Provider.start", provider.start(spec, say), away),
    inspect: (run, node) => failpoint("Provider.inspect", provider.inspect(run, node), away),
    perform: (spec, say) => failpoint("Provider.perform", provider.perform(spec, say), away),
    remove: (run) => failpoint("Provider.remove", provider.remove(run), stays),
    owned: failpoint("Provider.owned", provider.owned, away)
  }
}
