/** By their first bytes, which nothing that is text in UTF-8 begins with. */
const BY_BYTES: readonly (readonly [begins: string, is: string])[] = [
  ['%PDF-', 'is a PDF'],
  ['\xd0\xcf\x11\xe0', 'is an Excel workbook (.xls)'],
  ['PAR1', 'is in Parquet'],
  ['\xff\xfe', 'is text in UTF-16'],
  ['\xfe\xff', 'is text in UTF-16'],
  ['\x28\xb5\x2f\xfd', 'is packed with zstd'],
  ['BZh', 'is packed with bzip2'],
  ['\xfd7zXZ', 'is packed with xz'],
  ['\x89PNG', 'is a picture'],
  ['\xff\xd8\xff', 'is a picture'],
]

const ZIP = 'PK\x03\x04'
/** The names of what an archive holds stand in it as text. */
const WORKBOOK_PART = /xl\/|\[Content_Types\]\.xml/

/** What a file that is no CSV is, as the end of a sentence about it; undefined where nothing speaks against CSV. */
export function otherFormatOf(head: Uint8Array): string | undefined {
  const begins = Buffer.from(head).toString('latin1')
  if (begins.startsWith(ZIP)) {
    return WORKBOOK_PART.test(begins) ? 'is an Excel workbook (.xlsx)' : 'is a ZIP archive'
  }
  return BY_BYTES.find(([bytes]) => begins.startsWith(bytes))?.[1]
}

/** By how the text begins. */
const BY_TEXT: readonly (readonly [begins: RegExp, is: string])[] = [
  [/^<!doctype html|^<html/i, 'a web page'],
  [/^</, 'XML'],
  [/^[{[]/, 'JSON'],
]

/** What a text that is no bill looks like; undefined where it may be CSV. */
export function textFormatOf(text: string): string | undefined {
  return BY_TEXT.find(([pattern]) => pattern.test(text))?.[1]
}
