/**
 * What a field or class is called as a column of the lake. The first name to come keeps its plain form; one that would
 * collide with it (SQL names ignore case) gets a number. Names are kept, so that a field is one column in every file.
 */
import type { BatchHeader } from "@vedette/protocol/prediction-batch";
import { commitColumn } from "@vedette/protocol/receipt";
import type { Db } from "./inbox-tables.ts";

/** Different columns that one model's predictions may ever have: a rogue device must not widen the lake for ever. Later ones stay out of it. */
const maxColumnsOfModel = 4200;

export interface ColumnNames {
  /** Gives the columns of a batch their names, inside the caller's transaction. */
  assign(header: BatchHeader): void;
  /** The name assigned to `in:<field>` or `out:score:<class>` of a model; undefined for a column that stays out of the lake. */
  nameOf(model: string, original: string): string | undefined;
  /** Forgets what it remembers, as after a transaction that was rolled back. */
  forget(): void;
}

export function columnNames(db: Db): ColumnNames {
  const known = new Map<string, Map<string, string>>();
  const select = db.prepare<[string], { original: string; name: string }>(
    "SELECT original, name FROM lake_columns WHERE model = ?",
  );
  const insert = db.prepare("INSERT INTO lake_columns (model, original, name) VALUES (?, ?, ?)");
  const load = (model: string) => {
    const names = new Map(select.all(model).map((row) => [row.original, row.name]));
    known.set(model, names);
    return names;
  };

  return {
    assign(header) {
      const names = known.get(header.stream) ?? load(header.stream);
      const fresh = header.columns.filter(({ name }) => plain(name) && !names.has(name)).map(({ name }) => name);
      if (fresh.length === 0) return;
      const taken = new Set([...names.values()].map((name) => name.toLowerCase()));
      for (const original of fresh.slice(0, maxColumnsOfModel - names.size)) {
        const base = plain(original) as string;
        let name = base;
        for (let i = 2; taken.has(name.toLowerCase()); i++) name = `${base}_${i}`;
        taken.add(name.toLowerCase());
        insert.run(header.stream, original, name);
        names.set(original, name);
      }
    },
    nameOf: (model, original) => known.get(model)?.get(original) ?? load(model).get(original),
    forget: () => known.clear(),
  };
}

/** The column's name before collisions are looked at; undefined for columns that every batch has. */
function plain(original: string): string | undefined {
  const safe = (text: string) => text.replace(/[^A-Za-z0-9_]/g, "_").slice(0, 96);
  if (original === commitColumn) return "receipt_commit";
  if (original.startsWith("hash:in:")) return `in_${safe(original.slice(8))}_hash`;
  if (original.startsWith("hash:out:")) return `${safe(original.slice(9))}_hash`;
  if (original.startsWith("in:")) return `in_${safe(original.slice(3))}`;
  if (original.startsWith("out:score:")) return `score_${safe(original.slice(10))}`;
  return undefined;
}
