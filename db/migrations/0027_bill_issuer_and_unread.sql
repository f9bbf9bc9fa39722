-- Who invoices a bill, where that is told: it is paid, and may be another than who runs the machines.
alter table costs.provider_invoice add column issuer_name text;

-- Of the bills that are stored, where all of their lines say the same.
update costs.provider_invoice i set issuer_name = l.issuer_name
from (
  select provider_invoice_id, min(extra ->> 'InvoiceIssuerName') as issuer_name
  from costs.cost_line group by provider_invoice_id
  having count(*) = count(extra ->> 'InvoiceIssuerName') and count(distinct extra ->> 'InvoiceIssuerName') = 1
) l
where l.provider_invoice_id = i.id;

-- What two parties invoice is two bills.
drop index costs.provider_invoice_number_once;
create unique index provider_invoice_number_once on costs.provider_invoice (
  provider, invoice_number, currency, billing_account, issuer_name, (case when number_is_stated then period_start end)
) nulls not distinct where status <> 'preview' and invoice_number is not null;

drop index costs.provider_invoice_one_preview;
create unique index provider_invoice_one_preview on costs.provider_invoice (
  provider, period_start, currency, billing_account, issuer_name, invoice_number
) nulls not distinct where status = 'preview';

drop index costs.provider_invoice_content_once;
create unique index provider_invoice_content_once on costs.provider_invoice (
  provider, billing_account, issuer_name, currency, period_start, content_hash
) nulls not distinct where status = 'issued' and line_count > 0 and provider_uuid is null and not number_is_stated;

drop trigger provider_invoice_issued_is_immutable on costs.provider_invoice;
create trigger provider_invoice_issued_is_immutable before update on costs.provider_invoice for each row
  when (
    old.status = 'issued' and (
      (new.status, new.provider, new.external_id, new.period_start, new.period_end, new.currency, new.amount)
        is distinct from
        (old.status, old.provider, old.external_id, old.period_start, old.period_end, old.currency, old.amount)
      or (new.lines_amount, new.tax_amount, new.line_count, new.content_hash, new.ingested_at)
        is distinct from (old.lines_amount, old.tax_amount, old.line_count, old.content_hash, old.ingested_at)
      or (new.billing_account, new.issuer_name, new.number_is_stated)
        is distinct from (old.billing_account, old.issuer_name, old.number_is_stated)
    )
  )
  execute function costs.refuse_change_of_issued_bill();

-- Objects of the provider's that could not be read, of a kind that was listed: [{ "external_id": "…", "reason": "…" }]
alter table inventory.listing add column unread jsonb not null default '[]';
