-- The lines that a statement adds or changes are looked through once, not once for each thing that they refer to: what
-- storing a long bill takes is for the most part this.
create or replace function costs.refuse_lines_without_ground() returns trigger language plpgsql as $$
declare
  missing text;
  is_late boolean;
begin
  perform pg_advisory_xact_lock_shared(7274210);
  select
    case
      when not bool_and(i.id is not null) then 'bill'
      when not bool_and(n.resource_id is null or r.id is not null) then 'resource'
      when not bool_and(n.deployment_id is null or d.id is not null) then 'deployment'
    end,
    bool_or(i.status = 'issued')
  into missing, is_late
  from changed n
  left join costs.provider_invoice i on i.id = n.provider_invoice_id
  left join inventory.resource r on r.id = n.resource_id
  left join deployments.deployment d on d.id = n.deployment_id and d.tenant_id = n.tenant_id;
  if missing is not null then
    raise exception 'a line refers to a % that does not exist', missing
      using errcode = 'foreign_key_violation', constraint = 'cost_line_' || missing || '_exists';
  end if;
  if tg_op = 'INSERT' and is_late then
    raise exception 'an issued bill gets no more lines'
      using errcode = 'check_violation', constraint = 'cost_line_issued_is_immutable';
  end if;
  return null;
end $$;
