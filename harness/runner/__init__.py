"""Request -> plan -> cells -> measured parts -> records: the straight line that joins the rooms."""
