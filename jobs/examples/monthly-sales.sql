-- A job that writes: it keeps a summary table up to date. Several statements are one transaction;
-- the rows of the last one that has columns are the result.
--
-- Run it twice and the table is the same: such a job may be repeated after a crash without harm.
-- The database must be open for writing in the settings (sales=...:write).
--
-- name: monthly-sales
-- database: sales
-- mode: write
-- max_attempts: 5

CREATE TABLE IF NOT EXISTS monthly_sales (
    month   TEXT PRIMARY KEY,
    orders  INTEGER NOT NULL,
    cents   INTEGER NOT NULL
) STRICT;

INSERT OR REPLACE INTO monthly_sales
SELECT substr(orders.ordered_on, 1, 7),
       count(DISTINCT orders.id),
       sum(lines.quantity * lines.price_cents)
  FROM orders
  JOIN lines ON lines.order_id = orders.id
 GROUP BY 1;

SELECT month, orders, cents / 100.0 AS spent FROM monthly_sales ORDER BY month DESC LIMIT 6;
