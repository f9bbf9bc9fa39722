-- What one unit of a currency was worth in another on a day, and who says so. Margin converts by it.
create table costs.exchange_rate (
  from_currency text not null check (from_currency ~ '^[A-Z]{3}$'),
  to_currency text not null check (to_currency ~ '^[A-Z]{3}$'),
  date date not null,
  rate numeric not null check (rate > 0),
  source text not null,
  recorded_at timestamptz not null,
  recorded_by text not null,
  constraint exchange_rate_once primary key (from_currency, to_currency, date),
  constraint exchange_rate_is_between_two check (from_currency <> to_currency)
);

create function costs.refuse_change_of_exchange_rate() returns trigger language plpgsql as $$
begin
  raise exception 'the rate from % to % of % is recorded and stays', old.from_currency, old.to_currency, old.date
    using errcode = 'check_violation', constraint = 'exchange_rate_stays';
end $$;

create trigger exchange_rate_stays before update or delete on costs.exchange_rate
  for each row execute function costs.refuse_change_of_exchange_rate();
