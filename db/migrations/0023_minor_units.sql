-- breaking: an older program would post without saying with how many places, and with those of its runtime's locale data.
-- Amounts in minor units mean something only with the number of places of the currency. What is posted keeps the number
-- that it was posted with, so that a list of currencies that says otherwise is seen.
alter table invoicing.invoice
  add column minor_unit_places integer not null default 2 check (minor_unit_places between 0 and 4);
alter table finance.push
  add column minor_unit_places integer not null default 2 check (minor_unit_places between 0 and 4);

-- So far the places were those of the locale data: none also for currencies that have two (IQD: three) in ISO 4217.
create temporary table posted_so_far on commit drop as
select unnest(string_to_array(
  'AFN ALL BIF CLP COP DJF GNF HUF IDR IQD IRR ISK JPY KMF KPW KRW LAK LBP MGA MMK PKR PYG RWF SLL SOS SYP UGX VND VUV XAF '
  || 'XOF XPF YER', ' ')) as currency, 0 as places
union all
select unnest(array['BHD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND']), 3;

update invoicing.invoice i set minor_unit_places = c.places from posted_so_far c where c.currency = i.currency;
update finance.push p set minor_unit_places = c.places from posted_so_far c where c.currency = p.payload ->> 'currency';

alter table invoicing.invoice alter column minor_unit_places drop default;
alter table finance.push alter column minor_unit_places drop default;

-- As before, and the places too: without them the amounts would be others. An invoice that is paid is issued again when a
-- payment of it is reversed.
create or replace function invoicing.refuse_change_of_issued_invoice() returns trigger language plpgsql as $$
begin
  -- After a draft only the state may move: to paid and back, and to void. Nothing that the customer was told changes.
  if old.status <> 'draft' and (
    tg_op = 'DELETE'
    or (old.status, new.status) not in (('issued', 'issued'), ('issued', 'paid'), ('issued', 'void'), ('paid', 'paid'),
      ('paid', 'issued'), ('paid', 'void'), ('void', 'void'))
    or (new.tenant_id, new.id, new.number, new.period_start, new.period_end, new.currency, new.minor_unit_places,
        new.subtotal_cents, new.tax_cents, new.total_cents, new.seller, new.buyer, new.tax, new.engine_version,
        new.inputs_hash, new.created_at, new.issued_at, new.issued_by)
      is distinct from
       (old.tenant_id, old.id, old.number, old.period_start, old.period_end, old.currency, old.minor_unit_places,
        old.subtotal_cents, old.tax_cents, old.total_cents, old.seller, old.buyer, old.tax, old.engine_version,
        old.inputs_hash, old.created_at, old.issued_at, old.issued_by)
  ) then
    raise exception 'invoice % is % and cannot be changed', coalesce(old.number, old.id::text), old.status
      using errcode = 'check_violation', constraint = 'invoice_issued_is_immutable';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end $$;
