-- Which of a tenant's tax terms nobody gave: they were taken from its country, and follow it. Null where all were given.
-- Of the tenants so far it is not known; theirs count as given.
alter table tenants.tenant
  add column tax_assumed text[] check (tax_assumed <@ array['treatment', 'name', 'rate'] and cardinality(tax_assumed) > 0);
