import { useQuery } from '@tanstack/react-query'
import { get, path } from '../api/client'
import type { GridFeatures, GridProperties } from '../api/types'
import { useWords } from '../i18n/words'

const levels = ['town', 'cell', 'subcell'] as const
type Level = (typeof levels)[number]

/** useCells is every cell of one level, asked for once. */
function useCells(level: Level, enabled: boolean): GridProperties[] {
  const q = useQuery({
    queryKey: ['grid', level],
    queryFn: async ({ signal }) => {
      const g = await get<GridFeatures>(path(['grid'], { level }), signal)
      return g.features.map((f) => f.properties)
    },
    enabled,
    staleTime: 600_000,
  })
  return q.data ?? []
}

/** CellPicker goes down the grid: town, first-level cell, sub-cell. */
export function CellPicker({ cell, onChange }: { cell: string; onChange: (id: string) => void }) {
  const { t } = useWords()
  const towns = useCells('town', true)
  const cells = useCells('cell', cell !== '')
  const inTown = towns.some((c) => c.id === cell)
  const inCell = cells.find((c) => c.id === cell)
  // A sub-cell in the address is looked up only when nothing above it fits.
  const deeper = cell !== '' && towns.length > 0 && !inTown && (inCell !== undefined || cells.length > 0)
  const subs = useCells('subcell', deeper)
  const sub = subs.find((c) => c.id === cell)
  const chosenCell = inCell?.id ?? sub?.parent ?? ''
  const chosenTown = inTown ? cell : cells.find((c) => c.id === chosenCell)?.parent ?? ''

  const under = (list: GridProperties[], parent: string) => list.filter((c) => c.parent === parent)
  return (
    <span className="cells">
      <Choice label={t('cells.town')} all={t('cells.allTowns')} value={chosenTown} list={towns} onChange={onChange} />
      {chosenTown !== '' && (
        <Choice label={t('cells.cell')} all={t('cells.allCells')} value={chosenCell} list={under(cells, chosenTown)} onChange={(v) => onChange(v || chosenTown)} />
      )}
      {chosenCell !== '' && (
        <Choice label={t('cells.subcell')} all={t('cells.allSubcells')} value={sub?.id ?? ''} list={under(subs, chosenCell)} onChange={(v) => onChange(v || chosenCell)} />
      )}
    </span>
  )
}

function Choice({ label, all, value, list, onChange }: {
  label: string
  all: string
  value: string
  list: GridProperties[]
  onChange: (id: string) => void
}) {
  const total = (c: GridProperties) => Object.values(c.cameras).reduce((a, b) => a + b, 0)
  return (
    <select aria-label={label} value={value} onChange={(e) => onChange(e.target.value)}>
      <option value="">{all}</option>
      {list.map((c) => <option key={c.id} value={c.id}>{`${c.name} (${total(c)})`}</option>)}
    </select>
  )
}
