import { useQuery, useQueryClient } from '@tanstack/react-query'
import { createContext, useContext, useEffect, useRef, useState, type ReactNode } from 'react'
import { get, onSignedOut, path, post, Problem } from './api/client'
import type { Action, Me } from './api/types'
import { connect } from './live/connect'
import { setGatewayClock } from './live/hooks'
import { store } from './live/store'
import { watchUpgrade, type Upgrade } from './live/upgrade'
import { Login } from './Login'
import { Waiting } from './Waiting'

const Context = createContext<{ me: Me; leave: () => void } | null>(null)

function useSession() {
  const session = useContext(Context)
  if (!session) throw new Error('outside a session')
  return session
}

/** useMe is who is logged in and what site this is; only inside Session. */
export const useMe = (): Me => useSession().me

/** useLeave ends the session. */
export const useLeave = () => useSession().leave

/** useMay tells whether this person's role may do something; the gateway decides again. */
export const useMay = (a: Action) => useMe().user.may.includes(a)

/** Session shows its children to someone logged in, and the login to everyone else. */
export function Session({ children }: { children: ReactNode }) {
  const client = useQueryClient()
  const q = useQuery({
    queryKey: ['me'],
    queryFn: async ({ signal }) => {
      try {
        const me = await get<Me>(path(['me']), signal)
        setGatewayClock(me.now)
        store.setCanary(me.canary)
        return me
      } catch (e) {
        if (e instanceof Problem && e.status === 401) return null
        throw e
      }
    },
    staleTime: Infinity,
    gcTime: Infinity,
    retry: true,
    retryDelay: 3000,
  })

  useEffect(() => onSignedOut(() => client.setQueryData(['me'], null)), [client])

  const upgrade = useRef<Upgrade>(null)
  const me = q.data
  const name = me?.user.name
  const reads = me?.user.may.includes('read') ?? false
  useEffect(() => {
    if (name === undefined || !reads) return
    return connect({
      onReturn: () => {
        void client.refetchQueries({ type: 'active', predicate: (x) => x.state.status === 'error' })
        upgrade.current?.look()
      },
      onReset: () => {
        const doubt = store.doubt()
        const asked = client.invalidateQueries({ predicate: (x) => x.queryKey[0] !== 'picture' }, { throwOnError: true })
        // What could not be asked stays in doubt, and on the screen.
        asked.then(() => store.settle(doubt), () => {})
      },
      onSignedOut: () => client.setQueryData(['me'], null),
    })
  }, [client, name, reads])

  // Who leaves asks for nothing more: the page goes before the session does.
  const [leaving, setLeaving] = useState(false)
  useEffect(() => {
    if (!leaving) return
    void client.cancelQueries()
      .then(() => post(path(['logout'])))
      .catch(() => {})
      .finally(() => {
        client.setQueryData(['me'], null)
        setLeaving(false)
      })
  }, [client, leaving])

  const signedOut = me === null
  // What a person has seen goes with them, once no page is left that would ask for it again.
  useEffect(() => {
    if (!signedOut) return
    store.clear()
    client.removeQueries({ predicate: (x) => x.queryKey[0] !== 'me' })
  }, [client, signedOut])
  useEffect(() => {
    const u = upgrade.current = watchUpgrade()
    if (signedOut) u.look() // a gateway that no longer knows the session may be another one
    return u.stop
  }, [signedOut])

  if (leaving) return <Waiting what="leaving" />
  if (me === undefined) return <Waiting what={q.failureCount > 0 ? 'failed' : 'first'} />
  if (me === null) return <Login onDone={() => void q.refetch()} />
  return <Context value={{ me, leave: () => setLeaving(true) }}>{children}</Context>
}
