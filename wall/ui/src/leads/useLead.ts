import { useQuery } from '@tanstack/react-query'
import { useEffect } from 'react'
import { get, path } from '../api/client'
import type { LeadDetail } from '../api/types'
import { useLive } from '../live/hooks'
import { store } from '../live/store'

/** useLead is a lead as it is now, and what the gateway adds to it once asked: trace, camera, allowed states. */
export function useLead(id: string | undefined) {
  const live = useLive()
  const q = useQuery({
    queryKey: ['lead', id],
    queryFn: async ({ signal }) => {
      const d = await get<LeadDetail>(path(['leads', id!]), signal)
      store.put([d.lead])
      return d
    },
    enabled: id !== undefined,
    staleTime: 15_000,
    retry: 1,
  })
  const detail = q.data
  const lead = (id === undefined ? undefined : live.leads.get(id)) ?? detail?.lead
  const confirmed = lead !== undefined && !live.pending(lead.id) ? lead.version : undefined

  const { refetch } = q
  useEffect(() => {
    if (detail && confirmed !== undefined && confirmed > detail.lead.version) void refetch()
  }, [confirmed, detail, refetch])

  return { lead, detail, error: q.error }
}
