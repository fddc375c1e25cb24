-- One statement for each row of a CSV, all in one transaction: all prices change, or none.
--
-- Put new-prices.csv into the jobs directory first, then this file, which names it. Columns go by
-- their names; those that the statement does not ask for are left alone.
--
-- name: new-prices
-- database: sales
-- mode: write
-- each: new-prices.csv

UPDATE products SET price_cents = :price_cents WHERE id = :id RETURNING id, name, price_cents;
