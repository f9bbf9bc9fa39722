import type { Application } from '../app.ts'
import { countUnclassified } from '../contexts/costs/index.ts'

/** What to do about the lines whose product nobody knows; null when there are none. */
export async function unclassifiedNote({ edge }: Application): Promise<string | null> {
  const { lines, products } = await countUnclassified(edge.db.read)
  if (lines === 0) return null
  return `Unclassified lines: ${lines}, of products: ${products}. List them with GET /billing/products?classified=false; an allocation rule can share their cost.`
}
