import type { GridRef } from '../api/types'

/** cellPath is where something lies, without the city that everything lies in. */
export function cellPath(grid: GridRef[]): string {
  return grid.filter((g) => g.level !== 'city').map((g) => g.name).join(' › ')
}
