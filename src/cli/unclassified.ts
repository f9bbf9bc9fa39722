import type { Client } from './client.ts'

/** What to do about the lines whose product nobody knows; null when there are none. */
export async function unclassifiedNote(api: Client): Promise<string | null> {
  const products = await api.list<{ lines: number }>('/billing/products?classified=false')
  if (products.length === 0) return null
  const lines = products.reduce((total, product) => total + product.lines, 0)
  return `Unclassified lines: ${lines}, of products: ${products.length}. List them with GET /billing/products?classified=false; an allocation rule can share their cost.`
}
