type Query = Record<string, string | number | undefined>

/** path builds an address under the API from parts that are escaped, and a query without its empty values. */
export function path(parts: string[], query: Query = {}): string {
  const q = new URLSearchParams()
  for (const [k, v] of Object.entries(query)) {
    if (v !== undefined && v !== '') q.set(k, String(v))
  }
  const tail = q.toString()
  return '/api/v1/' + parts.map(encodeURIComponent).join('/') + (tail ? '?' + tail : '')
}
