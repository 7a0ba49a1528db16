import { keepPreviousData, useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { get, path } from '../api/client'
import type { Stats } from '../api/types'
import { useLive } from '../live/hooks'
import { tabNames, tabs, type Tab } from './states'

/** useStats are the gateway's figures, asked for again a moment after leads moved. */
export function useStats(): Stats | undefined {
  const { changes } = useLive()
  // Changes are gathered for a second, so that a burst of leads asks once.
  const [settled, setSettled] = useState(changes)
  useEffect(() => {
    if (changes === settled) return
    const timer = setTimeout(() => setSettled(changes), 500)
    return () => clearTimeout(timer)
  }, [changes, settled])
  return useQuery({
    queryKey: ['stats', settled],
    queryFn: ({ signal }) => get<Stats>(path(['stats']), signal),
    placeholderData: keepPreviousData,
    refetchInterval: 30_000,
    gcTime: 10_000,
  }).data
}

/** useCounts is how many leads each tab holds. */
export function useCounts(): Record<Tab, number> | undefined {
  const stats = useStats()
  if (!stats) return undefined
  const sum = (t: Tab) => tabs[t].reduce((n, s) => n + (stats.leads[s] ?? 0), 0)
  return Object.fromEntries(tabNames.map((t) => [t, sum(t)])) as Record<Tab, number>
}
