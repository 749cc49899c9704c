/** The JSON Schemas that there are, by the names of their files without `.json`: light, for who only names them. */
export const schemaNames = ["spacktainers", "site", "test"] as const;

export type SchemaName = (typeof schemaNames)[number];
