/**
 * A member of a cluster: its connections and its side of the council. A witness is no more than
 * this; a replica has volumes besides.
 */

import { join } from 'node:path'
import type { CouncilAnswer } from '../council/command.ts'
import type { CouncilHost } from './council-host.ts'
import type { Logger } from '../io/logger.ts'
import type { ReplicaId, SessionId, VolumeId } from '../ids.ts'
import { Resource } from '../util/resource.ts'
import type { LeaseView } from '../volume/volume-io.ts'
import type { Peers } from '../peer/peers.ts'
