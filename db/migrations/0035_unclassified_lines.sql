-- What the doctor counts, without a look at every line.
create index cost_line_unclassified on costs.cost_line (provider, product) where kind = 'unclassified';
