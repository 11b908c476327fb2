"""How far the sources of a device's embodied emissions lie apart."""

import pyarrow as pa
import pyarrow.compute as pc


def embodied_spread(embodied: pa.Table) -> pa.Table:
    """Lowest and highest embodied figure of each device, over all methods and boundaries.

    Part of the spread is in the boundary: a bare die is less than a card, a card less than its share of a server.

    Parameters
    ----------
    embodied : pa.Table
        ``dim_device_embodied``, every figure above zero.

    Returns
    -------
    pa.Table
        One row a device, sorted by name: ``device``, ``lowest_kgco2e``, ``highest_kgco2e`` [kgCO2e per device],
        ``ratio`` of highest to lowest, and ``sources``, the number of sources behind them.
    """
    spread = (
        embodied.group_by("device")
        .aggregate(
            [
                ("device_embodied_kgco2e", "min"),
                ("device_embodied_kgco2e", "max"),
                ("source_id", "count_distinct"),
            ]
        )
        .sort_by("device")
    )
    lowest, highest = spread["device_embodied_kgco2e_min"], spread["device_embodied_kgco2e_max"]
    columns = [
        spread["device"],
        lowest,
        highest,
        pc.divide(highest, lowest),
        spread["source_id_count_distinct"],
    ]
    return pa.Table.from_arrays(
        columns, names=["device", "lowest_kgco2e", "highest_kgco2e", "ratio", "sources"]
    )
