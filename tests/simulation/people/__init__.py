"""The people of the simulated practices: each deed of the plan, done in the products' own screens.

A deed draws its particulars from its own number, so that it is the same whatever others do; whom it concerns it finds among
the records that are there. A deed that finds nobody is not done.
"""
